"""The votes of listeners choose the voice, and cost seconds."""

import json


def test_votes_choose_the_voice_and_nothing_is_trained_or_spoken_again(trained, tmp_path):
    project = trained.copy(tmp_path / "project")
    project.configure(export={"checkpoint": "votes"})
    targets = ("results/model", "results/preference/test.html")
    # Without votes it is what it was, and the page is there to vote on.
    assert "write_preference_test" in project.run("--dry-run").jobs
    first = project.run(*targets).jobs
    assert first == {
        "speak_preference_test": 1,
        "rank_checkpoints": 1,
        "write_preference_test": 1,
        "export_model": 1,
    }
    assert project.run("--dry-run", *targets).nothing_to_do
    standings = json.loads((project.results / "preference/standings.json").read_text())
    one, two = sorted(row["checkpoint"] for row in standings["standings"])
    chosen = (project.results / "model/README.md").read_text()
    winner, loser = (two, one) if "Epoch 1;" in chosen else (one, two)

    votes = project.folder / "config/votes.csv"
    votes.write_text("listener,clip,a,b,vote\n" + f"Amina,demo_030,{winner},{loser},a\n" * 3)
    assert project.run(*targets).jobs == {
        "rank_checkpoints": 1,
        "write_preference_test": 1,
        "export_model": 1,
    }
    epoch = int(winner[5:9])
    assert f"Epoch {epoch};" in (project.results / "model/README.md").read_text()
    assert f"Epoch {epoch} is the best" in (project.results / "preference/test.html").read_text()
    assert project.run("--dry-run", *targets).nothing_to_do

    votes.write_text(votes.read_text() + "Amina,demo_030\n")
    refused = project.run(*targets, check=False)
    assert refused.returncode and "votes.csv, line 5: 2 cells" in refused.output
    project.configure(export={"votes": "mine.csv"})
    refused = project.run(*targets, check=False)
    assert refused.returncode and "export.votes: there is no file mine.csv" in refused.output
