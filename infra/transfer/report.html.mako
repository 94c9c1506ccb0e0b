<%def name="swatch(index)"><svg class="swatch" viewBox="0 0 1 1" aria-hidden="true"><rect class="c${index % 8}" width="1" height="1"/></svg></%def>\
<%def name="listing(names)">\
% if len(names) > 40:
<details><summary>all ${f"{len(names):,}"} by name</summary>
% endif
% if names:
<ul class="names">
% for name in names:
<li><code>${name}</code></li>
% endfor
</ul>
% endif
% if len(names) > 40:
</details>
% endif
</%def>\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${report.command}: ${report.outcome}, ${f"{report.started:%Y-%m-%d %H:%M}"}</title>
<style>
:root {
  --page: #f5f6f8; --card: #fff; --ink: #1c2430; --soft: #5b6675; --line: #dfe3e9;
  --good: #17714a; --good-back: #e4f4ec; --bad: #b3261e; --bad-back: #fcebe9;
  --accent: #2563a8; --fill: #2563a826;
  --c0: #2563a8; --c1: #d98a00; --c2: #2a9d78; --c3: #b5478c;
  --c4: #6a5acd; --c5: #7a8594; --c6: #c2452d; --c7: #4aa3df;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1b212a; --ink: #e6eaf0; --soft: #9aa6b5; --line: #303946;
    --good: #6fd3a3; --good-back: #16342a; --bad: #ff9d94; --bad-back: #3d1f1d;
    --accent: #7db4f0; --fill: #7db4f02e;
    --c0: #6ba6ec; --c1: #f0b040; --c2: #4fc79e; --c3: #e07fba;
    --c4: #a297f0; --c5: #98a4b3; --c6: #ef7f67; --c7: #8fd0fa;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 62rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: break-word;
}
h1 { margin: 0; font-size: 1.35rem; line-height: 1.3; }
h2 { margin: 2.2rem 0 .7rem; font-size: 1.05rem; }
h3 { margin: 0; font-size: .95rem; }
p { margin: .3rem 0; }
.soft, figcaption, th, dt, footer { color: var(--soft); font-size: .85rem; }
.verdict { padding: 1rem 1.2rem; border-left: .4rem solid var(--good); border-radius: .4rem; background: var(--good-back); }
.verdict.failed { border-color: var(--bad); background: var(--bad-back); }
.verdict b { color: var(--good); }
.verdict.failed b { color: var(--bad); }
.card { padding: .9rem 1.1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
.card + .card { margin-top: .8rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; }
dt { line-height: 1.75; }
dd { margin: 0; min-width: 0; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { padding: 0 0 .3rem; text-align: left; font-weight: 500; border-bottom: 1px solid var(--line); }
td { padding: .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th + th, td + td { padding-left: .9rem; text-align: right; }
td + td { white-space: nowrap; }
code { overflow-wrap: anywhere; font: .85em/1.45 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
td code.digest { display: block; color: var(--soft); font-size: .72rem; }
.swatch { width: .7rem; height: .7rem; margin-right: .5rem; border-radius: .15rem; vertical-align: -.02rem; }
.bar { display: block; width: 100%; height: 1.6rem; margin-bottom: .7rem; border-radius: .3rem; }
% for index in range(8):
.c${index} { fill: var(--c${index}); }
% endfor
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: .8rem; }
.charts .card { margin: 0; max-width: 38rem; }
figure svg { display: block; width: 100%; height: auto; }
figure text { fill: var(--soft); font-size: 11.5px; }
.grid { stroke: var(--line); }
.course { fill: none; stroke: var(--accent); stroke-width: 1.8; stroke-linejoin: round; }
.under { fill: var(--fill); }
.average { stroke: var(--c1); stroke-dasharray: 5 4; }
summary { cursor: pointer; color: var(--soft); font-size: .85rem; }
ul { margin: .3rem 0; padding-left: 1.2rem; }
.names { columns: 17rem; column-gap: 1.5rem; padding-left: 1.1rem; }
.names li { break-inside: avoid; }
.finding + .finding { margin-top: .8rem; padding-top: .8rem; border-top: 1px solid var(--line); }
footer { margin-top: 2.5rem; }
@media (max-width: 40rem) {
  body { padding: 1rem .7rem 2rem; }
  .card { padding: .8rem .9rem; }
  tr { display: grid; grid-template-columns: repeat(3, 1fr); column-gap: .6rem; border-bottom: 1px solid var(--line); }
  .stages tr { grid-template-columns: 2fr 1fr 2fr; }
  tr:last-child { border: 0; }
  thead tr:last-child { border-bottom: 1px solid var(--line); }
  th, td { padding: 0; border: 0; }
  th:first-child, td:first-child { grid-column: 1 / -1; }
  td:first-child { padding-top: .4rem; }
  th + th, td + td { padding: 0 0 .4rem; font-size: .82rem; text-align: left; }
  th + th:last-child, td + td:last-child { text-align: right; }
  figure text { font-size: 14px; }
}
@media print {
  @page { margin: 14mm; }
  :root {
    --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb;
    --good: #17714a; --good-back: #fff; --bad: #b3261e; --bad-back: #fff;
    --accent: #2563a8; --fill: #2563a826;
    --c0: #2563a8; --c1: #d98a00; --c2: #2a9d78; --c3: #b5478c;
    --c4: #6a5acd; --c5: #7a8594; --c6: #c2452d; --c7: #4aa3df;
  }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .charts { grid-template-columns: 1fr 1fr; }
  figure text { font-size: 14px; }
  figure, tr, .stages { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  h2 { margin-top: 1.4rem; }
  details::details-content { content-visibility: visible; display: block; }
}
</style>
</head>
<body>
<header class="verdict ${"" if report.outcome == "done" else "failed"}">
<h1><b>${"Done." if report.outcome == "done" else "Failed."}</b> ${verdict}.</h1>
% if report.error:
% for line in report.error.split("\n"):
<p>${line}</p>
% endfor
% endif
</header>

<h2>From and to</h2>
<section class="card">
<dl>
<dt>From</dt><dd>${report.source}</dd>
<dt>To</dt><dd>${report.target}</dd>
<dt>Command</dt><dd><code>${report.command}</code></dd>
<dt>Began</dt><dd>${moment(report.started)}</dd>
<dt>Ended</dt><dd>${moment(report.ended)}, after ${wording.duration(report.seconds)}</dd>
</dl>
</section>

% if report.differences:
<h2>Differences</h2>
<section class="card">
<ul>
% for difference in report.differences:
<li><code>${difference}</code></li>
% endfor
</ul>
</section>
% endif

<h2>Plan and actual</h2>
<section class="card">
<table>
<thead><tr><th>what</th><th>predicted</th><th>actual</th><th>actual / predicted</th></tr></thead>
<tbody>
% for compared in comparisons:
<tr><td>${compared.name}</td><td>${compared.predicted}</td><td>${compared.actual}</td><td>${compared.ratio}</td></tr>
% endfor
</tbody>
</table>
</section>

% if report.stages:
<h2>Stages</h2>
<section class="card stages">
<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" role="img" aria-label="each stage's part of the time">
% for index, (stage, begin, length) in enumerate(shares):
<rect class="c${index % 8}" x="${f"{begin:.3f}"}" width="${f"{length:.3f}"}" height="1"/>
% endfor
</svg>
<table>
<thead><tr><th>stage</th><th>done</th><th>time</th><th>per second</th></tr></thead>
<tbody>
% for index, (stage, begin, length) in enumerate(shares):
<tr>
<td>${swatch(index)}${stage.name}</td>
<td>${wording.amount(stage.done, stage.unit) if stage.done else ""}</td>
<td>${wording.duration(stage.seconds)}</td>
<td>${wording.rate(stage.done / stage.seconds, stage.unit) if stage.done and stage.seconds else ""}</td>
</tr>
% endfor
</tbody>
</table>
</section>
% endif

% if charts:
<h2>Throughput over time</h2>
<div class="charts">
% for drawn in charts:
<figure class="card">
<h3>${drawn.stage}</h3>
<figcaption>${drawn.caption}</figcaption>
<svg viewBox="0 0 ${drawing.WIDTH} ${drawing.HEIGHT}" role="img" aria-label="throughput of ${drawn.stage}: ${drawn.caption}">
<text x="${drawing.LEFT}" y="14">${drawn.upwards_title}</text>
% for tick in drawn.upwards:
<line class="grid" x1="${drawing.LEFT}" x2="${drawing.RIGHT}" y1="${f"{tick.position:.1f}"}" y2="${f"{tick.position:.1f}"}"/>
<text x="${drawing.LEFT - 7}" y="${f"{tick.position + 4:.1f}"}" text-anchor="end">${tick.label}</text>
% endfor
% for tick in drawn.across:
<line class="grid" x1="${f"{tick.position:.1f}"}" x2="${f"{tick.position:.1f}"}" y1="${drawing.BOTTOM}" y2="${drawing.BOTTOM + 5}"/>
<text x="${f"{tick.position:.1f}"}" y="${drawing.BOTTOM + 19}" text-anchor="middle">${tick.label}</text>
% endfor
<text x="${drawing.RIGHT}" y="${drawing.HEIGHT - 6}" text-anchor="end">${drawn.across_title}</text>
<polygon class="under" points="${drawn.area}"/>
<polyline class="course" points="${drawn.line}"/>
<line class="average" x1="${drawing.LEFT}" x2="${drawing.RIGHT}" y1="${f"{drawn.average:.1f}"}" y2="${f"{drawn.average:.1f}"}"/>
</svg>
</figure>
% endfor
</div>
% endif

% for decision, found in findings:
<h2>${decision.capitalize() if decision != "note" else "To note"}</h2>
<section class="card">
% for finding in found:
<div class="finding">
<h3>${finding["subject"]}</h3>
<p>${finding["text"]}</p>
% if finding["hint"]:
<p class="soft">${finding["hint"]}</p>
% endif
${listing(finding["names"])}
</div>
% endfor
</section>
% endfor

% if tables:
<h2>Tables</h2>
<section class="card">
<table>
<thead><tr><th>table and digest</th><th>rows</th><th>size</th><th>parts</th></tr></thead>
<tbody>
% for table in tables:
<tr>
<td><code>${table["name"]}</code><code class="digest">${table["digest"]}</code></td>
<td>${f"{table['rows']:,}"}</td>
<td>${wording.size(table["bytes"]) if table["bytes"] is not None else ""}</td>
<td>${f"{table['parts']:,}" if table["parts"] else ""}</td>
</tr>
% endfor
</tbody>
</table>
</section>
% endif

<footer>Report <code>${report.id}</code>; the same as data: <code>${report.id}.json</code></footer>
</body>
</html>
