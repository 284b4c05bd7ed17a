"""The page around all reports: one small stylesheet, no script, no font and no file from elsewhere.

It sets the variables that JupyterLab's themes set, so that tables and figures look here as they do there,
once for light and once for dark; which one applies is the reader's system setting.
"""

from __future__ import annotations

from html import escape

STYLESHEET = """
:root{color-scheme:light dark;--jp-content-font-color0:#10151c;--jp-content-font-color1:#1d2530;
--jp-content-font-color2:#5b6675;--jp-layout-color0:#fff;--jp-border-color2:#d3d9e0;--db-side:#f5f7f9;--db-link:#1f63b8;
--db-key:#8a3ea8;--db-string:#1d7a4f;--db-number:#a8540f;--db-comment:#68737f}
@media(prefers-color-scheme:dark){:root{--jp-content-font-color0:#f2f5f8;--jp-content-font-color1:#dbe1e8;
--jp-content-font-color2:#96a2b1;--jp-layout-color0:#14181f;--jp-border-color2:#37404c;--db-side:#1c222b;--db-link:#7fb3f5;
--db-key:#cf97e6;--db-string:#7fcf9f;--db-number:#e3a86b;--db-comment:#8793a1}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--jp-layout-color0);color:var(--jp-content-font-color1);
font:15px/1.6 system-ui,'Segoe UI',Roboto,'Helvetica Neue','DejaVu Sans',sans-serif}
main{max-width:860px;margin:0 auto;padding:1.2rem 1.2rem 4rem}
h1,h2,h3{color:var(--jp-content-font-color0);line-height:1.25;margin:1.6em 0 .5em;font-weight:650}
h1{font-size:1.75rem;margin-top:.6em}h2{font-size:1.25rem}h3{font-size:1.05rem}
p,ul,ol{margin:.5em 0}a{color:var(--db-link);text-decoration-thickness:1px;text-underline-offset:2px}
.db-bar{border-bottom:1px solid var(--jp-border-color2);background:var(--db-side);font-size:13px;position:relative}
.db-bar div{max-width:860px;margin:0 auto;padding:.55rem 1.2rem;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;
justify-content:space-between}
.db-bar a{text-decoration:none;font-weight:600}
.db-pages{display:flex;flex-wrap:wrap;gap:.2rem .7rem;font-variant-numeric:tabular-nums}.db-pages a{font-weight:400}
.db-pages a[aria-current]{font-weight:700;color:inherit;border-bottom:2px solid currentColor}
.db-dim{color:var(--jp-content-font-color2)}
"""
NOTEBOOK_STYLESHEET = """
#code{position:absolute;right:max(1.2rem,calc(50% - 411px));top:.72rem;z-index:1;margin:0}
.db-bar label{cursor:pointer;padding-right:1.7rem}
@media(max-width:640px){.db-bar .db-pages{order:3;width:100%;justify-content:space-between}}
#code:not(:checked)~main .input,#code:not(:checked)~main details.injected{display:none}
.cell{margin:.35rem 0}.prompt{display:none}.anchor-link{visibility:hidden;text-decoration:none;padding-left:.35em}
:is(h1,h2,h3):hover .anchor-link{visibility:visible}
pre{margin:0;font:12.5px/1.55 ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre-wrap;
overflow-wrap:anywhere}
code{font:.88em ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;background:var(--db-side);
padding:.1em .3em;border-radius:3px}pre code{background:none;padding:0}
.input_area{background:var(--db-side);border-left:3px solid var(--jp-border-color2);border-radius:3px;
padding:.6rem .9rem}
.output_area{margin:.5rem 0;overflow-x:auto}
/* what is wider than the page scrolls, and a shadow says so where something is hidden */
.db-figure,.db-table{--paper:var(--jp-layout-color0);background:
linear-gradient(90deg,var(--paper) 30%,transparent) 0 0/2.5rem 100% no-repeat local,
linear-gradient(270deg,var(--paper) 30%,transparent) 100% 0/2.5rem 100% no-repeat local,
linear-gradient(90deg,#8a94a666,transparent) 0 0/.8rem 100% no-repeat scroll,
linear-gradient(270deg,#8a94a666,transparent) 100% 0/.8rem 100% no-repeat scroll}
.output_text pre{padding:.2rem .9rem;color:var(--jp-content-font-color2)}
.output_stderr pre,.output_error pre{border-left:3px solid #d1495b;color:inherit}
details.injected{margin:.35rem 0;font-size:13px}
details.injected summary{cursor:pointer;color:var(--jp-content-font-color2)}
.rendered_html table:not(.db-table table){border:0;border-collapse:collapse;font-size:13.5px;margin:.6em 0;
font-variant-numeric:tabular-nums}
.rendered_html table:not(.db-table table) :is(th,td){border:0;border-bottom:1px solid var(--jp-border-color2);
padding:.32em 1.1em .32em 0;text-align:left;vertical-align:top}
.rendered_html table.dataframe td{text-align:right}.rendered_html img{max-width:100%}
.highlight :is(.k,.kn,.kc,.kd,.kr,.ow){color:var(--db-key)}
.highlight :is(.s,.s1,.s2,.sd,.sa,.si,.se){color:var(--db-string)}
.highlight :is(.m,.mi,.mf,.mh){color:var(--db-number)}.highlight :is(.c,.c1,.cm,.ch){color:var(--db-comment)}
@media print{.db-bar,#code,details.injected{display:none}main{max-width:none}}
"""


def page(title: str, body: str, *, stylesheet: str = STYLESHEET) -> str:
    """A whole HTML document.

    Examples
    --------
    >>> page("A & B", "<main></main>", stylesheet="").splitlines()[0]
    '<!DOCTYPE html>'
    """
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{stylesheet}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
