"""The report's page as a template: no script, nothing from outside, light and dark.

A template within Python, so that the digest of the code sees it change.
"""

import re

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape


def breakable(text: object) -> Markup:
    """Escape a text, and let paths and names break after their marks, not within a word."""
    return Markup(re.sub(r"(?<=[^\W_])([/._-]+)(?=[^\W\d_])", r"\1<wbr>", str(escape(text))))


def make_template(source: str) -> Template:
    """Compile a page: what it is given is escaped, and what it lacks is an error."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["breakable"] = breakable
    return environment.from_string(source)


STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2430; --faint: #5b6472;
        --line: #e4e7ec; --card: #f6f8fa; --accent: #2563c4; --warn: #a8521b; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #161b22; --ink: #e6edf3; --faint: #9aa4b2; --line: #2d343d;
          --card: #1f2630; --accent: #79b0ff; --warn: #f0a868; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.2rem 4rem; background: var(--paper);
       color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: clamp(1.35rem, 5vw, 1.9rem); line-height: 1.2; margin: 0 0 .3rem;
     overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.8rem 0 .8rem; padding-bottom: .3rem;
     border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .6rem; }
p { margin: .5rem 0; } a { color: var(--accent); } .faint { color: var(--faint); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: 1rem 0 0; }
code { font-family: ui-monospace, monospace; font-size: .92em; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(13rem, 45%), 1fr));
     gap: .8rem; margin: 1.4rem 0; }
dl > div { background: var(--card); border-radius: .5rem; padding: .7rem .9rem; }
dt { color: var(--faint); font-size: .85rem; }
dd { margin: 0; font-weight: 600; font-size: clamp(.9rem, 3.7vw, 1.1rem); overflow-wrap: anywhere; }
dd small { display: block; font-weight: 400; color: var(--faint); font-size: .85rem; }
.voices { display: grid; gap: 1rem;
          grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
.voice { border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1rem; }
.voice figure { margin: 0 0 .9rem; } .voice figure:last-child { margin: 0; }
figcaption { color: var(--faint); font-size: .9rem; margin: .2rem 0; overflow-wrap: anywhere; }
audio { width: 100%; height: 2.4rem; }
.plot { margin: 1.2rem 0 1.8rem; } .plot img { width: 100%; height: auto; display: block; }
.table { overflow-x: auto; max-height: 28rem; overflow-y: auto; border: 1px solid var(--line);
         border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .4rem .8rem; border-bottom: 1px solid var(--line);
         vertical-align: top; overflow-wrap: break-word; }
tr:last-child td { border-bottom: 0; } .number { text-align: right; white-space: nowrap; }
thead th { position: sticky; top: 0; background: var(--card); white-space: nowrap; }
.note { border-left: 4px solid var(--warn); background: var(--card); padding: .5rem .9rem;
        border-radius: 0 .4rem .4rem 0; margin: .8rem 0; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
pre { overflow: auto; max-height: 12rem; margin: .5rem 0; font-size: .88rem; }
@media print { .table { max-height: none; } audio { display: none; } }
"""

TEMPLATE = """
{%- macro plots(name) -%}
{% for plot in figures.get(name, ()) %}
<figure class="plot"><img src="{{ plot.source }}" alt="{{ plot.title }}. {{ plot.description }}">
<figcaption>{{ plot.description }}</figcaption></figure>
{% endfor %}
{%- endmacro -%}
{%- macro grid(name, table) -%}
{% if table.rows %}
<div class="table" role="region" aria-label="{{ name }}" tabindex="0"><table>
<thead><tr>
{%- for column in table.columns %}<th scope="col">{{ column }}</th>{% endfor -%}
</tr></thead>
<tbody>
{%- for row in table.rows %}
<tr>{% for cell in row %}<td dir="auto">{{ cell }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody></table></div>
{% if table.omitted %}<p class="faint">And {{ table.omitted }} more; all are in
<code>{{ table.file }}</code>.</p>{% endif %}
{% else %}<p>{{ table.nothing }}</p>{% endif %}
{%- endmacro -%}
{%- macro player(said, sound, kind) -%}
<figure><figcaption><strong>{{ kind | breakable }}</strong>, {{ sound.length }}:
<q lang="{{ language }}" dir="auto">{{ said }}</q></figcaption>
<audio controls preload="metadata" src="{{ sound.source }}" aria-label="{{ kind }}: {{ said }}">
</audio></figure>
{%- endmacro -%}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
media-src data:; style-src 'unsafe-inline'">
<title>Report: {{ title }}</title>
<style>{{ style | safe }}</style>
</head>
<body>
<header>
<h1>A voice made from {{ title | breakable }}</h1>
<p class="faint">Everything that this run found in the recordings, and what it made of them.</p>
<nav aria-label="Sections"><a href="#voices">Voices</a><a href="#training">Training</a>
<a href="#clips">Clips</a><a href="#speakers">Speakers</a><a href="#text">Text</a></nav>
</header>
<main>
<dl>
{% for fact in facts %}<div><dt>{{ fact.name }}</dt>
<dd>{{ fact.value | breakable }}
{%- if fact.more %}<small>{{ fact.more }}</small>{% endif %}</dd></div>
{% endfor %}</dl>
{% for note in notes %}<p class="note">{{ note }}</p>
{% endfor %}
<h2 id="voices">Voices</h2>
<div class="voices">
{% for voice in voices %}<section class="voice" aria-label="{{ voice.name }}">
<h3>{{ voice.name | breakable }}</h3>
{% for said, sound in voice.sentences %}{{ player(said, sound, "New voice") }}
{% endfor %}
{%- if voice.recording %}
{{ player(voice.recording[0], voice.recording[1], "Recording " ~ voice.clip) }}
{% endif %}</section>
{% endfor %}</div>
{% if voices_omitted %}<p class="faint">And {{ voices_omitted }} more speakers; their sentences are
in the folder of the samples.</p>{% endif %}
{{ plots("voices") }}
<h3>Compared with recordings that were held out</h3>
<p>Every speaker says the same sentences as in the recordings: before the training, as the base
model does, and after. Right of 20: a recogniser chose the sentence among 20, or among 20 that
differ in one word. Own voice and another's: likeness to the speaker's recordings, and to those of
the other speaker that is most alike (cosine of voice vectors; the first should be higher).
Distortion: of the mel-cepstrum. Length: seconds spoken per second recorded.</p>
{{ grid("Quality", quality) }}
<h2 id="training">Training</h2>
{{ plots("training") }}
<h3>Clips left out of training</h3>
{{ grid("Clips left out of training", excluded) }}
<h2 id="clips">Clips</h2>
{{ plots("corpus") }}
<h3>Rejected clips</h3>
{{ grid("Rejected clips", rejected) }}
<h2 id="speakers">Speakers</h2>
{% for said, lines in doubts %}<div class="note"><p>{{ said }} If it is so, write this into
{{ file }} and run again{% if hint %} ({{ hint }}){% endif %};
the audition page plays the clips:</p>
<pre>{{ lines }}</pre></div>
{% endfor %}
{{ grid("Speakers", speakers) }}
{{ plots("speakers") }}
<h2 id="text">Text</h2>
<p>{{ vocabulary_summary }}</p>
{{ grid("Characters that the base did not know", vocabulary) }}
</main>
</body>
</html>
"""
