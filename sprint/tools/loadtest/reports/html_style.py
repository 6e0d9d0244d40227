"""How the HTML report looks, light and dark by the reader's choice, on screen and on paper."""

# The colours of lines differ in lightness too, so that they are told apart without colour vision.
STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --panel: #f5f6f8; --ink: #1b1f24; --dim: #5b6570;
  --rule: #d7dce2; --one: #0b5cad; --two: #d9730d; --three: #7b2d8b; --four: #9aa4ae;
  --good: #146c3a; --bad: #b3261e; --half: #b8860b; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171b; --panel: #1d2228; --ink: #e8ebee; --dim: #9aa5b1; --rule: #343b44;
    --one: #6cb2ff; --two: #ffab5c; --three: #d9a0e6; --four: #76808b;
    --good: #6fd197; --bad: #ff8a80; --half: #e8c15a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 24px 20px 48px; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 32px 0 8px; }
p { margin: 4px 0; }
.dim { color: var(--dim); }
.badge { display: inline-block; padding: 2px 10px; border-radius: 4px; font-weight: 600;
  border: 1px solid currentColor; margin: 8px 8px 0 0; }
.good { color: var(--good); } .bad { color: var(--bad); }
.told { border-left: 4px solid var(--bad); background: var(--panel); padding: 8px 14px; margin: 14px 0; }
.note { border-left-color: var(--half); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 10px;
  margin: 18px 0; }
.tile { background: var(--panel); border-radius: 6px; padding: 10px 14px; }
.tile b { display: block; font-size: 21px; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 500px), 1fr)); gap: 18px; }
figure { margin: 0; background: var(--panel); border-radius: 6px; padding: 10px 12px; }
figcaption { font-weight: 600; }
figcaption span { font-weight: 400; margin-left: 12px; white-space: nowrap; }
figcaption i { display: inline-block; width: 14px; height: 3px; vertical-align: middle; margin-right: 5px; }
svg { display: block; width: 100%; height: auto; }
.grid { stroke: var(--rule); stroke-width: 1; }
.mark { fill: var(--dim); font-size: 14px; }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.line.one { stroke: var(--one); } .line.two { stroke: var(--two); }
.line.three { stroke: var(--three); } .line.four { stroke: var(--four); stroke-dasharray: 5 3; }
.dot.one, i.one { fill: var(--one); background: var(--one); }
.dot.two, i.two { fill: var(--two); background: var(--two); }
.dot.three, i.three { fill: var(--three); background: var(--three); }
.dot.four, i.four { fill: var(--four); background: var(--four); }
.column { fill: transparent; } .column:hover { fill: var(--ink); fill-opacity: 0.08; }
.state { stroke: var(--ground); stroke-width: 1; }
.state.closed { fill: var(--good); } .state.open { fill: var(--bad); }
.state.half_open { fill: var(--half); } .state.other { fill: var(--four); }
.tables { display: flex; flex-wrap: wrap; gap: 0 56px; }
section { max-width: 100%; }
section p { max-width: 62ch; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; }
th, td { white-space: nowrap; }
th:first-child, td:first-child, .text { text-align: left; }
td.text { max-width: 60ch; overflow-wrap: anywhere; white-space: normal; }
th { color: var(--dim); font-weight: 600; }
.empty { color: var(--dim); padding: 30px 0; }
@media (max-width: 560px) { .mark { font-size: 18px; } }
@media print { body { max-width: none; } figure, .tile { break-inside: avoid; } }
"""
