"""How the HTML report looks, light and dark by the reader's choice, on screen and on paper."""

# States differ in lightness and pattern of words too: each span has its state in its title.
STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --panel: #f5f6f8; --ink: #1b1f24; --dim: #5b6570;
  --rule: #d7dce2; --good: #146c3a; --bad: #b3261e; --half: #b8860b; --odd: #7b8794; --fault: #7b2d8b;
  --block: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171b; --panel: #1d2228; --ink: #e8ebee; --dim: #9aa5b1; --rule: #343b44;
    --good: #3d9a63; --bad: #ff8a80; --half: #e8c15a; --odd: #8b97a3; --fault: #d9a0e6; --block: #6cb2ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 24px 20px 48px; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 32px 0 8px; }
p { margin: 4px 0; overflow-wrap: anywhere; }
.dim { color: var(--dim); }
.told { border-left: 4px solid var(--good); background: var(--panel); padding: 8px 14px; margin: 14px 0;
  overflow-wrap: anywhere; }
.told.bad { border-left-color: var(--bad); }
td.good { color: var(--good); font-weight: 600; } td.bad { color: var(--bad); font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 10px;
  margin: 18px 0; }
.tile { background: var(--panel); border-radius: 6px; padding: 10px 14px; }
.tile b { display: block; font-size: 21px; font-variant-numeric: tabular-nums; }
figure { margin: 18px 0; background: var(--panel); border-radius: 6px; padding: 10px 12px; }
figcaption { font-weight: 600; margin-bottom: 6px; }
figcaption span { font-weight: 400; margin-left: 12px; white-space: nowrap; }
figcaption i { display: inline-block; width: 12px; height: 12px; vertical-align: -1px; margin-right: 5px; }
.lane { display: grid; grid-template-columns: minmax(90px, 26%) 1fr; gap: 10px; align-items: center;
  margin: 3px 0; }
.lane span { font-size: 13px; overflow-wrap: anywhere; line-height: 1.2; }
.lane svg { display: block; width: 100%; height: 18px; }
.lane svg.bars { height: 40px; }
.axis { display: flex; justify-content: space-between; }
.well, i.well { fill: var(--good); background: var(--good); }
.open, i.open { fill: var(--bad); background: var(--bad); }
.half, i.half { fill: var(--half); background: var(--half); }
.odd, i.odd { fill: var(--odd); background: var(--odd); }
.fault, i.fault { fill: var(--fault); background: var(--fault); }
.block, i.block { fill: var(--block); background: var(--block); }
.around { fill: none; stroke: var(--fault); stroke-width: 2; vector-effect: non-scaling-stroke;
  pointer-events: none; }
td:nth-child(-n+2) { min-width: 110px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: left; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; overflow-wrap: anywhere; min-width: 70px; }
th { color: var(--dim); font-weight: 600; }
@media (max-width: 560px) {
  thead { display: none; }
  table, tbody, tr, td { display: block; width: 100%; }
  tr { padding: 6px 0; border-bottom: 1px solid var(--rule); }
  td { border: 0; padding: 1px 0; }
  td[data-name]:not([data-name=""]):not(:empty)::before { content: attr(data-name) ": "; color: var(--dim); }
}
@media print { body { max-width: none; } figure, .tile { break-inside: avoid; } }
"""
