"""The audition page as a template: one script, nothing from outside, light and dark.

A template within Python, so that the digest of the code sees it change.
"""

STYLE = """
body { max-width: 76rem; padding-bottom: 13rem; }
button, select, input { font: inherit; color: inherit; background: var(--paper);
  border: 1px solid var(--edge); border-radius: .4rem; padding: .3rem .7rem; max-width: 100%; }
:root { --edge: #8b94a1; } @media (prefers-color-scheme: dark) { :root { --edge: #6b7585; } }
button { cursor: pointer; } button:hover:enabled { border-color: var(--accent); }
button:disabled { opacity: .45; cursor: default; }
input[type=checkbox] { width: 1.1rem; height: 1.1rem; accent-color: var(--accent); margin: 0; }
.two { display: grid; gap: 1.6rem; grid-template-columns: minmax(0, 1fr); }
@media (min-width: 56rem) { .two { grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); } }
.speakers { list-style: none; margin: 0; padding: 0; max-height: 27rem; overflow-y: auto; }
.speakers button { display: grid; width: 100%; gap: .1rem .7rem; align-items: center;
  grid-template-columns: 1rem minmax(0, 1fr) auto; text-align: left; border-color: transparent; }
.speakers button[aria-pressed=true] { border-color: var(--accent); background: var(--card); }
.speakers b { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 600; }
.speakers .bar { grid-column: 2 / -1; height: .45rem; border-radius: .3rem; min-width: 2px; }
.swatch { width: 1rem; height: 1rem; flex: none; vertical-align: -.15rem; }
#map { width: 100%; aspect-ratio: 7 / 5; border: 1px solid var(--line); border-radius: .6rem;
  background: var(--card); display: block; touch-action: manipulation; }
#map path { cursor: pointer; fill-opacity: .75; } #map .dim { opacity: .12; }
#map .mute { fill-opacity: .3; } #map .unsure { stroke: var(--ink); stroke-width: 1.2; }
#map .now { stroke: var(--ink); stroke-width: 3; fill-opacity: 1; }
.tools { display: flex; flex-wrap: wrap; gap: .5rem .8rem; align-items: center; }
.tools label { display: inline-flex; gap: .45rem; align-items: center; max-width: 100%; }
.tools select { max-width: 15rem; min-width: 0; } [hidden] { display: none !important; }
#filters { position: sticky; top: 0; z-index: 2; background: var(--paper); padding: .6rem 0;
  border-bottom: 1px solid var(--line); }
#filters input[type=search] { width: 13rem; }
#clips { list-style: none; margin: 0; padding: 0; }
#clips li { display: grid; gap: .15rem .8rem; padding: .6rem .3rem; align-items: center;
  grid-template-columns: auto auto minmax(0, 1fr) auto; border-bottom: 1px solid var(--line); }
#clips li.now { background: var(--card); }
#clips .play { width: 2.5rem; height: 2.5rem; padding: 0; border-radius: 50%; font-size: .9rem; }
#clips p { margin: 0; overflow-wrap: anywhere; } #clips .sure { text-align: right; }
#clips .chip { display: inline-block; background: var(--card); border: 1px solid var(--warn);
  color: var(--warn); border-radius: 1rem; padding: 0 .6rem; font-size: .82rem; margin: .15rem 0; }
#clips .out code { text-decoration: line-through; }
#clips .who { border: 0; padding: 0 .2rem; background: none; }
@media (max-width: 40rem) { #clips li { grid-template-columns: auto auto minmax(0, 1fr); }
  #clips .sure { grid-column: 3; text-align: left; } #filters { position: static; }
  #filters input[type=search] { width: 100%; flex: 1; min-width: 0; }
  #filters label:has([type=search]), #filters label:has(select) { width: 100%; }
  #filters select { flex: 1; max-width: none; } }
#dock { position: fixed; inset: auto 0 0 0; z-index: 3; background: var(--card);
  border-top: 1px solid var(--edge); padding: .6rem 1.2rem; max-height: 60vh; overflow-y: auto; }
#dock > div { max-width: 73rem; margin: 0 auto; display: grid; gap: .5rem;
  grid-template-columns: minmax(0, 1fr); }
#dock audio { height: 2.4rem; flex: 1 1 16rem; min-width: 0; width: auto; }
#playing { flex: 1 1 12rem; min-width: 0; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: .4rem; margin: 0;
  padding: .6rem .8rem; overflow: auto; max-height: 12rem; font-size: .88rem; line-height: 1.4; }
.note { overflow-wrap: anywhere; } .note pre { margin: .5rem 0; }
summary { cursor: pointer; font-weight: 600; }
#own { border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .9rem; margin: 1rem 0; }
@media print { #dock { display: none; } }
"""

TEMPLATE = """
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; media-src data:; \
style-src 'unsafe-inline'; script-src '{{ script_hash }}'">
<title>Audition: {{ title }}</title>
<style>{{ style | safe }}</style>
</head>
<body>
<header>
<h1>Who speaks in {{ title | breakable }}</h1>
<p class="faint">Listen, and say where the machine is wrong. Nothing changes by itself: mark clips
and speakers, copy the lines that appear below to the end of <code>{{ file }}</code>, and run the
workflow again.{% if hint %} <strong>{{ hint }}</strong>{% endif %}</p>
</header>
<main>
<dl>
{% for name, value, more in facts %}<div><dt>{{ name }}</dt>
<dd>{{ value | breakable }}{% if more %}<small>{{ more }}</small>{% endif %}</dd></div>
{% endfor %}</dl>
<noscript><p class="note">This page needs JavaScript, which this browser has turned off. Nothing is
sent anywhere.</p></noscript>
{% for doubt in doubts %}<div class="note doubt"><p>{{ doubt.said }}</p>
<details><summary>If so, these lines settle it</summary>
<pre>{{ doubt.lines }}</pre></details>
<div class="tools"><button type="button" data-show="{{ loop.index0 }}">Show these clips</button>
<button type="button" data-lines="{{ loop.index0 }}">Copy the lines</button></div></div>
{% endfor %}
<div class="two">
<section aria-labelledby="who"><h2 id="who">Speakers</h2>
<ul class="speakers" id="speakers"></ul></section>
<section aria-labelledby="where"><h2 id="where">Map of the voices</h2>
<svg id="map" viewBox="0 0 700 500" tabindex="0" role="application" aria-describedby="legend"
aria-label="Map of the voices; the arrow keys go from clip to clip, Enter plays"></svg>
<p class="faint" id="legend">Each point is a clip; near points sound alike. Ringed points are
doubtful, pale ones cannot be played here. Click one, or walk with the arrow keys.</p></section>
</div>
<section aria-labelledby="all"><h2 id="all">Clips, the doubtful first</h2>
<div class="tools" id="filters" role="search">
<label>Find <input type="search" id="find" placeholder="clip or text"></label>
<label>Speaker <select id="speaker"><option value="">all</option></select></label>
<label><input type="checkbox" id="doubtful"> only doubtful</label>
<label><input type="checkbox" id="playable"> only with sound</label>
<button type="button" id="reset">Show all</button>
<span class="faint" id="count" role="status"></span></div>
<div id="own" hidden><div class="tools"><strong id="own-name"></strong>
<label>Name <input id="name" size="14"></label>
<button type="button" id="do-name">Name</button>
<label>Same voice as <select id="same"></select></label>
<button type="button" id="do-merge">Merge</button>
<button type="button" id="do-drop">Leave this speaker out</button></div></div>
<ol id="clips"></ol>
<p><button type="button" id="more" hidden>Show more</button></p>
{% for limit in limits %}<p class="faint limit">{{ limit }}</p>
{% endfor %}</section>
</main>
<aside id="dock" aria-label="Player and corrections"><div>
<div class="tools"><span id="playing" class="faint">Nothing plays yet.</span>
<audio id="player" controls preload="metadata" aria-label="The chosen clip"></audio></div>
<div class="tools" id="chosen" hidden><strong id="number"></strong>
<label>give to <select id="to"></select></label><button type="button" id="do-assign">Give</button>
<label>new voice <input id="voice" size="12" placeholder="name"></label>
<button type="button" id="do-split">Split off</button>
<button type="button" id="do-exclude">Leave out</button>
<button type="button" id="none">Unmark</button></div>
<div id="result" hidden><div class="tools"><strong>For {{ file }}</strong>
<button type="button" id="copy">Copy the lines</button>
<button type="button" id="forget">Forget these</button>
<span class="faint" id="said" role="status"></span></div>
<pre id="lines" tabindex="0" aria-label="Lines for {{ file }}"></pre></div>
</div></aside>
<script type="application/json" id="data">{{ data | safe }}</script>
<script>{{ script | safe }}</script>
</body>
</html>
"""
