"""Write the report of a finished run: ``python -m lib.report RESULTS --output page.html``."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from lib.commands import make_parser, run_command
from lib.report.report import ReportPaths, write_report
from lib.report.tables import DEFAULT_OVERRIDES


def main(line: Sequence[str] | None = None) -> None:
    """Write the report page of a finished run, from its tables, sounds and figures."""
    parser = make_parser("report", main.__doc__)
    parser.add_argument("results", type=Path, help="output folder of the run, like results/demo")
    parser.add_argument("--output", type=Path, default=Path("report.html"), help="page to write")
    parser.add_argument("--title", help="name of the recordings; by default the results folder")
    parser.add_argument("--language", default="und", help="ISO 639 code of the transcripts")
    parser.add_argument(
        "--overrides",
        default=DEFAULT_OVERRIDES,
        help="file with the speaker overrides of the run; by default %(default)s",
    )
    run_command(parser, _write, line)


def _write(arguments: argparse.Namespace) -> None:
    write_report(
        ReportPaths.from_results(arguments.results),
        title=arguments.title or str(arguments.results),
        language=arguments.language,
        overrides_file=arguments.overrides,
        output=arguments.output,
    )
    logging.info("The report is %s", arguments.output)


if __name__ == "__main__":
    main()
