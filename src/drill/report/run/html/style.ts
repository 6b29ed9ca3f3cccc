/** The style sheet of the page. Both colour schemes have a contrast of at least 4.5 to 1 for text. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--ink:#1d2125;--soft:#5a636c;--line:#e3e5e7;--good:#14713a;--good-area:#3a9d63;--bad:#b3261e;--unsure:#8a5a00;--mid:#1f5fae;--high:#7a4bb5;--band:#c26b0026;--fault:#c26b00;--silent:#b3261e1f}
@media (prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1b1f23;--ink:#e6e9ec;--soft:#a3adb7;--line:#30363c;--good:#5fce8c;--good-area:#3f9f68;--bad:#ff8a80;--unsure:#f0b24a;--mid:#7db4f5;--high:#c3a0f2;--band:#f0a03a2e;--fault:#e39b3b;--silent:#ff8a8029}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:break-word}
.long{overflow-wrap:anywhere}
main{max-width:1080px;margin:0 auto;padding:28px 24px 64px}
h1{font-size:25px;line-height:1.25;margin:10px 0 6px;letter-spacing:-.012em;text-wrap:balance}
h2{font-size:17px;margin:0 0 12px;letter-spacing:-.005em}
h3{font-size:15px;margin:0 0 4px}
p{margin:0 0 8px}
section{margin-top:36px}
.verdict{display:inline-block;font-weight:650;font-size:14px;padding:3px 12px;border-radius:99px;color:#fff;background:var(--soft)}
.verdict.Pass{background:#14713a}.verdict.Fail{background:#b3261e}.verdict.Inconclusive,.verdict.Aborted{background:#855600}
.message{font-size:17px;max-width:64ch;margin-bottom:6px}
.meta,.note,caption{color:var(--soft);font-size:13px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(168px,1fr));margin:24px 0 0;background:var(--card);border:1px solid var(--line);border-radius:10px;overflow:hidden}
.figure{padding:12px 16px 14px;box-shadow:1px 1px 0 0 var(--line)}
.figure dt{color:var(--soft);font-size:13px}
.figure dd{margin:0;font-size:13px;color:var(--soft)}
.value{display:block;font-size:27px;line-height:1.25;font-weight:600;letter-spacing:-.02em;color:var(--ink)}
.value.bad{color:var(--bad)}
.before{display:block}
.remedies{border-left:3px solid var(--bad);padding:2px 0 2px 16px;margin-top:28px}
.remedies.soft{border-color:var(--unsure)}
.remedies ul{margin:0;padding:0;list-style:none}
.remedies li+li{margin-top:12px}
.remedies p{margin:0;max-width:80ch}
.advice{color:var(--soft)}
.timeline{margin:0}
.chart{display:block;overflow:visible;touch-action:pan-y;cursor:crosshair;outline-offset:4px}
.chart text{font-size:12px;fill:var(--ink)}
.chart .tick{fill:var(--soft);font-size:11px;paint-order:stroke;stroke:var(--bg);stroke-width:3px;stroke-linejoin:round}
.chart .panel{fill:var(--soft);font-size:12px}
.chart .grid,.chart .rule{stroke:var(--line);stroke-width:1}
.chart .base{stroke:var(--soft);stroke-opacity:.5}
.chart path{vector-effect:non-scaling-stroke}
.chart path.good{fill:var(--good-area);fill-opacity:.55;stroke:var(--good-area);stroke-width:1}
.chart path.bad{fill:var(--bad)}
.chart path.mid,.chart path.high{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
.chart path.mid{stroke:var(--mid)}.chart path.high{stroke:var(--high)}
.chart .band{fill:var(--band)}
.chart .fault{fill:var(--fault)}
.chart .fault.unproven{fill:none;stroke:var(--fault);stroke-dasharray:3 2}
.chart .name.inside{paint-order:stroke;stroke:var(--bg);stroke-width:3px}
.chart .silent{fill:var(--silent)}
.chart .role{fill:var(--mid);stroke:var(--bg);stroke-width:1.5}
.chart .role.lost{fill:var(--bad)}
.chart .cursor{stroke:var(--ink);stroke-width:1;stroke-dasharray:2 2;pointer-events:none}
.readout{min-height:3em;color:var(--soft);font-size:13px;margin-bottom:10px}
@media (min-width:640px){.readout{min-height:1.5em}}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--soft);margin-top:8px}
.key::before{content:"";display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px;background:var(--soft)}
.key.good::before{background:var(--good-area)}.key.bad::before{background:var(--bad)}
.key.mid::before{background:var(--mid);height:3px;vertical-align:3px}.key.high::before{background:var(--high);height:3px;vertical-align:3px}
.key.band::before{background:var(--fault)}.key.none::before{background:var(--silent);box-shadow:inset 0 0 0 1px var(--bad)}
.key.role::before{border-radius:50%;background:var(--mid)}
table{border-collapse:collapse;width:100%;margin-bottom:18px;font-size:14px}
caption{text-align:left;padding-bottom:4px}
th,td{text-align:left;vertical-align:top;padding:6px 14px 6px 0;border-bottom:1px solid var(--line);font-weight:400}
th:last-child,td:last-child{padding-right:0}
thead th{color:var(--soft);font-size:12px;padding-bottom:3px}
tbody th{font-weight:550}
.badge{display:inline-block;font-size:12px;font-weight:600;padding:0 8px;border-radius:99px;border:1px solid currentColor;white-space:nowrap}
.badge.good{color:var(--good)}.badge.bad{color:var(--bad)}.badge.unsure{color:var(--unsure)}
.faults,.checks{list-style:none;margin:0;padding:0}
.faults>li,.checks>li{padding:10px 0;border-bottom:1px solid var(--line)}
.checks p{margin:0}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:1px 14px;margin:0;font-size:14px}
.facts dt{color:var(--soft)}.facts dd{margin:0}
.examples{margin:6px 0 0;padding-left:18px;font-size:14px;color:var(--soft)}
code{font:13px/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
details{margin-top:16px}summary{cursor:pointer;color:var(--soft);font-size:14px}
a:focus-visible,summary:focus-visible,.chart:focus-visible{outline:2px solid var(--mid)}
@media (max-width:520px){main{padding:18px 16px 48px}h1{font-size:21px}.message{font-size:16px}.figures{grid-template-columns:1fr 1fr}.figure{padding:10px 12px}.value{font-size:22px}th,td{padding-right:8px}table{font-size:13px}}
@media print{:root{--bg:#fff;--card:#fff}body{font-size:12px}main{max-width:none;padding:0}.readout{display:none}section{margin-top:22px}.figure,tr,.faults>li,.checks>li,.timeline{break-inside:avoid}h2{break-after:avoid}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
@media print and (prefers-color-scheme:dark){:root{--ink:#1d2125;--soft:#5a636c;--line:#e3e5e7;--good:#14713a;--bad:#b3261e;--unsure:#8a5a00;--mid:#1f5fae;--high:#7a4bb5}}
`
