"""The look of the dashboard: one style sheet, light and dark, from a phone to a wide screen.

Colours follow the browser's theme, or ``data-theme`` on the page where somebody set it. JupyterLab's own variables are
set with them, so that widgets, tables and figures follow too. Text keeps a contrast of 4.5 to 1 on its ground, whoever
holds the focus is seen, and nothing is told by colour alone.
"""

from driftbook.dashboard.pictures import STYLE as PICTURES

LIGHT = (
    "--dash-ground:#f4f6f9;--dash-card:#fff;--dash-ink:#1b2330;--dash-dim:#566173;--dash-line:#d7dde6;"
    "--dash-accent:#1f5fbf;--dash-on-accent:#fff;--dash-soft:#e8eff9;--dash-field:#fff;color-scheme:light;"
)
DARK = (
    "--dash-ground:#11151b;--dash-card:#1a2029;--dash-ink:#e7ebf1;--dash-dim:#a4aebd;--dash-line:#323c49;"
    "--dash-accent:#7fb1ff;--dash-on-accent:#0d1420;--dash-soft:#233145;--dash-field:#11161d;color-scheme:dark;"
)
SHARED = (
    "--jp-layout-color0:var(--dash-card);--jp-layout-color1:var(--dash-card);--jp-layout-color2:var(--dash-ground);"
    "--jp-content-font-color0:var(--dash-ink);--jp-content-font-color1:var(--dash-ink);"
    "--jp-content-font-color2:var(--dash-dim);--jp-content-font-color3:var(--dash-dim);"
    "--jp-ui-font-color0:var(--dash-ink);--jp-ui-font-color1:var(--dash-ink);--jp-ui-font-color2:var(--dash-dim);"
    "--jp-border-color1:var(--dash-line);--jp-border-color2:var(--dash-line);--jp-brand-color1:var(--dash-accent);"
    "--jp-widgets-color:var(--dash-ink);--jp-widgets-label-color:var(--dash-dim);--jp-widgets-font-size:14px;"
    "--jp-widgets-readout-color:var(--dash-ink);--jp-widgets-slider-active-handle-color:var(--dash-accent);"
    "--jp-widgets-slider-handle-border-color:var(--dash-accent);--jp-widgets-input-color:var(--dash-ink);"
    "--jp-widgets-input-background-color:var(--dash-field);--jp-widgets-input-border-color:var(--dash-dim);"
    "--jp-ui-font-family:system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
)
LAYOUT = """
.dash{max-width:1240px;margin:0 auto;padding:0 20px 48px;box-sizing:border-box;color:var(--dash-ink);
font:15px/1.5 var(--jp-ui-font-family);overflow:visible}
.dash .widget-html-content{font:inherit;line-height:inherit}
.dash .widget-html:has(.widget-html-content:empty){display:none}
.dash .widget-html,.dash .jupyter-widgets{margin:0;height:auto;overflow:visible}
.dash-head{flex-flow:row wrap!important;align-items:center;gap:6px 22px;padding:14px 0 8px}
.dash-brand{font-size:19px;font-weight:650;letter-spacing:-.01em;margin-right:auto}
.dash-brand small{display:block;font-size:12px;font-weight:400;color:var(--dash-dim);letter-spacing:0}
.dash-stamp{font-size:12.5px;color:var(--dash-dim);font-variant-numeric:tabular-nums;white-space:nowrap}
.dash h2{font-size:16px;font-weight:620;margin:0 0 .55em;line-height:1.3;color:var(--dash-ink)}
.dash h3{font-size:14px;font-weight:600;margin:1.1em 0 .35em;color:var(--dash-ink)}
.dash a{color:var(--dash-accent)}
.dash code{font:.92em/1.4 ui-monospace,'DejaVu Sans Mono',monospace;background:#8a94a626;border-radius:4px;
padding:.08em .35em;color:inherit;overflow-wrap:anywhere}
.dash-grid{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:16px;align-items:start}
.dash-card{background:var(--dash-card);border:1px solid var(--dash-line);border-radius:10px;padding:16px 20px 18px;
min-width:0;box-sizing:border-box}
.dash-wide{grid-column:1/-1}
.dash-card>*:last-child,.dash-card>*:last-child>*:last-child{margin-bottom:0}
.dash-columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(340px,100%),1fr));gap:8px 28px}
.dash-columns>*{min-width:0}
.dash-tiles{display:grid!important;grid-template-columns:repeat(auto-fill,minmax(min(230px,100%),1fr));gap:16px 22px;
margin:.2em 0 .9em}
.dash-card:not(.dash-wide)>.dash-tiles{grid-template-columns:repeat(auto-fill,minmax(min(150px,100%),1fr))}
.dash-tiles.dash-tiles dt{font-size:12.5px;color:var(--dash-dim);font-weight:400;float:none;width:auto;display:block}
.dash-tiles.dash-tiles dd{margin:.05em 0 0;float:none;width:auto;font-size:22px;line-height:1.25;
font-weight:620;font-variant-numeric:tabular-nums}
.dash-tiles small{display:block;font-size:12.5px;line-height:1.4;font-weight:400;color:var(--dash-dim);
margin-top:.15em}
.dash-tiles dt::first-letter{text-transform:uppercase}
.dash-tiles>.dash-is-good,.dash-tiles>.dash-is-watch,.dash-tiles>.dash-is-bad{border-left:3px solid;padding-left:10px}
.dash-is-good{border-left-color:#1f9e89!important}.dash-is-watch{border-left-color:#d99010!important}
.dash-is-bad{border-left-color:#d1495b!important}
.dash-answer{border-left:6px solid;border-radius:3px;padding:2px 0 2px 16px;margin:0 0 18px}
.dash-word{font-size:24px;line-height:1.3;margin:0 0 .15em;font-weight:650}
.dash-word .db-badge{font-size:14px;vertical-align:.2em;margin-right:.3em}
.dash-lead{font-size:17px;line-height:1.5;margin:0;max-width:72ch}
.dash-cases{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:16px 32px}
.dash-case{min-width:0}.dash-case h3{margin-top:.2em}.dash-case p{margin:.2em 0 .7em}
.dash-case .dash-tiles.dash-tiles dd{font-size:16px}
.dash-case .dash-tiles{grid-template-columns:repeat(auto-fill,minmax(min(125px,100%),1fr));gap:10px 18px}
.dash-work,.dash-note,.dash-said,.dash-alerts,.dash-past,.dash-panel,.dash-tiles,.dash-lead,.dash-case{
overflow-wrap:anywhere}
.dash-unbroken{white-space:nowrap}
.dash-note{margin:.3em 0 .8em;color:var(--dash-dim);max-width:78ch}
.dash-note.dash-is-watch,.dash-note.dash-is-bad{color:var(--dash-ink);border-left:4px solid;padding-left:12px}
.dash-tiles+.dash-said{margin-top:.9em}
.dash-said{margin:.2em 0 .8em;padding-left:1.15em}.dash-said li{margin:.2em 0}
.dash-facts{display:grid;grid-template-columns:minmax(0,auto) minmax(0,1fr);gap:7px 20px;margin:.3em 0;font-size:14px}
.dash-columns h3:first-child{margin-top:.25em}
.dash-facts dt{color:var(--dash-dim)}.dash-facts dd{margin:0;overflow-wrap:anywhere}
.dash-alerts{list-style:none;margin:0;padding:0}
.dash-alerts>li{border-left:4px solid var(--dash-line);padding:0 0 1px 14px;margin:0 0 20px}
.dash-alerts>li:last-child{margin-bottom:2px}
.dash-alerts p{margin:.25em 0;max-width:88ch}.dash-line span:last-child{color:var(--dash-dim);margin-left:.4em}
.dash .db-table{overflow-x:auto;margin:.2em 0 .6em}
.dash .db-table table{font-size:14px}
.dash .db-figure{max-width:none!important;margin:.1em 0 .3em!important}.dash .db-drawing{min-width:0!important}
.dash-past{flex-flow:row wrap!important;align-items:center;justify-content:space-between;
gap:8px 22px;background:var(--dash-soft);border:1px solid var(--dash-line);border-left:5px solid var(--dash-accent);
border-radius:8px;padding:8px 16px!important;margin:4px 0 14px!important}.dash-past p{margin:0}
.dash-work{background:var(--dash-card);border:1px solid var(--dash-line);border-radius:8px;padding:10px 16px 12px;
margin:4px 0 10px}
.dash-work p{margin:0 0 .5em}.dash-work.dash-over p{margin:0}
.dash-bar{height:9px;border-radius:5px;background:var(--dash-line);overflow:hidden}
.dash-bar i{display:block;height:100%;background:var(--dash-accent);border-radius:5px;transition:width .5s}
.dash-steps{display:flex;flex-wrap:wrap;gap:3px 16px;margin:.6em 0 0;padding:0;list-style:none;font-size:13px;
color:var(--dash-dim)}
.dash-steps .dash-now{color:var(--dash-ink);font-weight:600}
"""
CONTROLS = """
.dash-nav{width:auto!important;margin:6px 0 12px!important;border-bottom:1px solid var(--dash-line);
display:block!important}
.dash-nav .widget-label{display:none}
.dash-nav .widget-radio-box{display:flex!important;flex-flow:row wrap!important;margin:0!important;gap:0 2px;
max-width:none}
.dash-nav .widget-radio-box label{display:block;margin:0;padding:9px 13px 8px;font-size:15px;line-height:1.3;
height:auto;
cursor:pointer;border-bottom:3px solid transparent;color:var(--dash-dim);border-radius:6px 6px 0 0;width:auto}
.dash-nav .widget-radio-box label:hover{color:var(--dash-ink);background:#8a94a61f}
.dash-nav .widget-radio-box label:has(:checked){color:var(--dash-ink);font-weight:600;border-color:var(--dash-accent)}
.dash-nav input[type=radio]{position:absolute;opacity:0;width:1px;height:1px;margin:0}
.dash-nav .widget-radio-box label:has(:focus-visible){outline:3px solid var(--dash-accent);outline-offset:-3px}
.dash .widget-dropdown,.dash .widget-text,.dash .widget-radio{width:auto;max-width:100%}
.dash .widget-label{color:var(--dash-dim);font-size:13.5px;line-height:1.3;height:auto;width:auto!important;
text-align:left;white-space:normal;overflow:visible;text-overflow:clip;margin-right:8px;align-self:center}
.dash select,.dash input[type=text]{height:36px;border-radius:6px;font-size:14.5px;padding:0 10px;max-width:100%;
background-color:var(--dash-field)!important;color:var(--dash-ink)!important;border:1px solid var(--dash-dim)!important}
.dash select{min-width:150px;appearance:auto;background-image:none!important}
.dash-head select{max-width:290px;text-overflow:ellipsis}
.dash .widget-slider{height:36px;width:auto;max-width:100%;align-items:center}
.dash .widget-slider .slider-container{flex:1 1 150px;width:150px;min-width:90px}
.dash .widget-readout{flex:none;margin-left:16px;min-width:92px;overflow:visible;font-size:14.5px;font-weight:600;
color:var(--dash-ink);text-align:right;
font-variant-numeric:tabular-nums;border:0;background:none}
.dash .noUi-target{background:var(--dash-line);border:0;box-shadow:none}
.dash .noUi-connect{background:var(--dash-accent)}
.dash .noUi-handle{background:var(--dash-card)!important;border:3px solid var(--dash-accent)!important;
box-shadow:none!important}
.dash .jupyter-button{height:36px;width:auto;border-radius:6px;font-size:14.5px;padding:0 16px;line-height:34px;
background:var(--dash-card);color:var(--dash-ink);border:1px solid var(--dash-dim);box-shadow:none;overflow:visible}
.dash .jupyter-button:hover:enabled{background:var(--dash-soft);box-shadow:none}
.dash .jupyter-button.mod-primary{background:var(--dash-accent);color:var(--dash-on-accent);
border-color:var(--dash-accent)}
.dash .jupyter-button.mod-primary:hover:enabled{filter:brightness(1.08);background:var(--dash-accent)}
.dash .jupyter-button:disabled{opacity:1;color:var(--dash-dim);border-style:dashed;background:none;cursor:default}
.dash-choices,.dash-acts,.dash-form{flex-flow:row wrap!important;gap:10px 22px;
align-items:center}
.dash-choices{margin:0 0 14px!important}
.dash-choices{align-items:flex-start!important}
.dash-choices>.widget-inline-hbox{display:flex!important;flex-direction:column;align-items:flex-start;gap:3px;
height:auto}
.dash-choices select{flex:none}
.dash-choices>.widget-inline-hbox>.widget-label{align-self:flex-start}
.dash-choices .widget-radio-box{display:flex!important;flex-flow:row wrap!important;margin:0!important;gap:4px 14px;
max-width:none}
.dash-choices .widget-radio-box label{margin:0;width:auto;line-height:1.4;font-size:14.5px;height:auto;cursor:pointer}
.dash-panel{margin:0 0 14px!important;padding:0!important}
.dash-panel.dash-open{background:var(--dash-card);border:1px solid var(--dash-line);border-radius:10px;
padding:14px 18px!important}
.dash-panel>*+*{margin-top:10px!important}
.dash-form .widget-text{flex:1 1 320px;min-width:min(320px,100%)}
.dash-form .widget-text input{flex:1 1 auto;width:100%}
.dash-why{color:var(--dash-dim);font-size:13.5px}
.dash select:focus-visible,.dash input:focus-visible,.dash button:focus-visible,.dash a:focus-visible,
.dash summary:focus-visible,.dash .noUi-handle:focus-visible,.dash [tabindex]:focus-visible{
outline:3px solid var(--dash-accent)!important;outline-offset:2px}
"""
_NUMBERS = range(1, 9)  # of columns that a table may name
_SPARE = ",".join(f".dash-spare-{number} .db-table :is(th,td):nth-child({number})" for number in _NUMBERS)
_UNBROKEN = ",".join(f".dash-unbroken-{number} .db-table :is(th,td):nth-child({number})" for number in _NUMBERS)
FITTED = (
    ".dash .dash-fit .db-table :is(th,td){white-space:normal;min-width:0}"
    f":is({_UNBROKEN}){{white-space:nowrap!important}}@media(max-width:640px){{:is({_SPARE}){{display:none}}}}"
)
NARROW = """
@media(max-width:900px){.dash-grid{grid-template-columns:minmax(0,1fr)}}
@media(max-width:640px){.dash{padding:0 10px 32px}.dash-card{padding:13px 13px 14px;border-radius:8px}
.dash-head{gap:6px 14px}.dash-brand{width:100%}.dash .widget-slider{width:100%;min-width:0}
.dash-nav .widget-radio-box label{padding:7px 10px 6px;font-size:14.5px}
.dash-tiles{grid-template-columns:repeat(auto-fill,minmax(min(136px,100%),1fr))}
.dash-tiles.dash-tiles dd{font-size:20px}
.dash .db-table th,.dash .db-table .db-w{white-space:normal!important;min-width:0!important}
.dash .db-table table{font-size:13px}.dash .db-table th,.dash .db-table td{padding-right:.6em!important}}
@media(max-width:640px){.dash-stack thead{display:none}.dash-stack table,.dash-stack tbody{display:block}
.dash .dash-stack tr{display:block;padding:.5em 0;border-bottom:1px solid var(--dash-line)}
.dash .dash-stack td{display:flex;gap:10px;padding:.2em 0!important;border:0!important}
.dash-stack caption{display:block;width:auto}.dash-facts{grid-template-columns:minmax(0,1fr);gap:1px}
.dash-facts dd{margin-bottom:7px}
.dash-stack td::before{content:attr(data-label);flex:0 0 76px;color:var(--dash-dim)}}
@media(prefers-reduced-motion:reduce){.dash-bar i{transition:none}}
"""
STYLE = (
    f"<style>:root{{{LIGHT}{SHARED}}}"
    f"@media(prefers-color-scheme:dark){{:root:not([data-theme=light]){{{DARK}}}}}"
    f":root[data-theme=dark]{{{DARK}}}:root,body{{background:var(--dash-ground)}}"
    f"{LAYOUT}{CONTROLS}{PICTURES}{NARROW}{FITTED}</style>"
)
