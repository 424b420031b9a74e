"""The page of the report, a Jinja template."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ verdict.verdict }}: {{ run.study or "study" }}</title>
<style>
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #ffffff; --line: #d0d0d0;
  --soft: #f4f4f4; --pass: #176b2c; --fail: #a61b1b; --open: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #161616;
  --line: #444; --soft: #222; --pass: #6fce86; --fail: #ff8a80; --open: #f2c14e; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 72rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.verdict { border-left: .5rem solid; padding: .5rem 1rem; background: var(--soft);
  font-size: 1.1rem; }
.PASS { border-color: var(--pass); } .FAIL { border-color: var(--fail); }
.INCONCLUSIVE { border-color: var(--open); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .875rem; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: left;
  vertical-align: top; overflow-wrap: normal; } th { background: var(--soft); }
figure { margin: 1rem 0; background: #fff; color: #000; padding: .5rem; overflow-x: auto; }
figure svg { height: auto; max-width: none; display: block; }
.pairs { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); }
.pairs figure { margin: 0; font-size: .8rem; } .pairs img { width: 4rem; height: 4rem;
  image-rendering: pixelated; border: 1px solid #bbb; } .pairs figcaption { line-height: 1.25; }
@media print { body { max-width: none; font-size: 11pt; } figure, table { break-inside: avoid; }
  figure svg { max-width: 100%; } .scroll { overflow: visible; } }
</style>
</head>
<body>
<main>
<h1>{{ run.study or "study" }}</h1>
<p class="verdict {{ verdict.verdict }}" id="verdict">{{ verdict.sentence }}</p>
<p>Search {{ one }} {{ verdict.search_width }}, target {{ one }} {{ verdict.target_width }},
accepted regret: {{ verdict.tolerance.text }}. Rows: {% for status, n in verdict.counts.items() %}
{{- n }} {{ status }}{{ ", " if not loop.last }}{% endfor %}.</p>
{% macro show(table) %}{% if table.rows %}
<h2>{{ table.title }}</h2>
<div class="scroll" tabindex="0" role="region" aria-label="{{ table.title }}"><table>
<thead><tr>{% for c in table.columns %}<th scope="col">{{ c }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in table.rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}
</tbody></table></div>{% endif %}{% endmacro %}
{{ show(conditions) }}
<p>(a) upper bound of the regret under the tolerance; (b) optimum bracketed at search and target
{{ one }}; (c) the HP matters in its range; (d) half an octave from divergence; (e) rows complete,
at least two seeds and four values.</p>
{{ show(causes) }}
{{ show(settle) }}
{% if figures %}<h2>Figures</h2>{% endif %}
{% for name, svg in figures %}<figure aria-label="{{ name }}">{{ svg }}
<figcaption>{{ caption(name) }}</figcaption></figure>
{% endfor %}
{% if gallery and gallery.pairs %}<h2>Samples</h2>
<p>Left: drawn by the transferred set at {{ one }} {{ gallery.width }} (trial
{{ gallery.trial_id }}); right: a real validation image of the same condition.</p>
<div class="pairs">{% for pair in gallery.pairs %}
<figure><img src="{{ pair.drawn_url }}" alt="drawn: {{ pair.text }}">
<img src="{{ pair.real_url }}" alt="real: {{ pair.text }}">
<figcaption>{{ pair.text }}</figcaption></figure>{% endfor %}
</div>{% endif %}
{% if coordcheck %}<h2>Coordinate check</h2>
<p style="white-space: pre-wrap">{{ coordcheck }}</p>{% endif %}
{{ show(optima) }}
<p>Curvature: loss per octave². Intervals: 95 %, from the fitted curve with seeds as blocks;
"open": the data give no end. With one seed they rest on the scatter about the curve only.</p>
{{ show(drifts) }}
{{ show(alternatives) }}
{{ show(scaling) }}
{{ show(hps) }}
{{ show(cost) }}
<h2>What this does not cover</h2>
<ul>{% for text in limits %}<li>{{ text }}</li>{% endfor %}</ul>
<h2>Provenance</h2>
<div class="scroll"><table><tbody>{% for key, value in run.items() %}
<tr><th scope="row">{{ key }}</th><td>{{ value }}</td></tr>{% endfor %}
<tr><th scope="row">table schema</th><td>{{ verdict.schema }}</td></tr>
<tr><th scope="row">rows</th><td>{{ n_rows }}</td></tr>
</tbody></table></div>
</main>
</body>
</html>
"""
