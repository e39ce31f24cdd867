"""The style sheet of a page in HTML: light and dark, narrow and wide, on paper."""

STYLE = """\
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --line: #d0d0d0; --link: #0b57d0 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e4e4; --paper: #161616; --line: #444; --link: #8ab4f8 }
}
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.2 }
h2 { font-size: 1.25rem; margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem }
h3 { font-size: 1.05rem }
.title { font-weight: 600; margin: 1.25rem 0 .25rem }
a { color: var(--link) }
nav ul { list-style: none; padding-left: 0; columns: 18rem }
nav li { overflow: hidden; text-overflow: ellipsis }
nav ul ul { padding-left: 1rem }
table { border-collapse: collapse }
th { text-align: left; font-weight: normal; vertical-align: top; padding: .1rem 1rem .1rem 0;
  white-space: nowrap }
td { vertical-align: top; padding: .1rem 1rem .1rem 0 }
td + td { white-space: nowrap }
thead th { border-bottom: 1px solid var(--line); font-weight: 600 }
ol { margin: .25rem 0; padding-left: 2rem }
.result { margin: .25rem 0 .25rem .6rem }
li > div, .result, td { overflow-x: auto; overflow-y: hidden }
.wide { overflow-x: auto; overflow-wrap: normal; padding: .25rem 0 }
math { font-size: 1.05em }
mtd { padding: .1em .3em }
figure { margin: 1rem 0 }
figure svg { max-width: 100%; height: auto; background: #fff }
figcaption { font-size: .875rem }
@media (max-width: 40rem) {
  th[scope=row], th[scope=row] + td { display: block; padding: 0 }
  th[scope=row] { opacity: .75; font-size: .875rem; padding-top: .4rem }
}
@media print {
  :root { --ink: #000; --paper: #fff; --line: #999; --link: #000 }
  main { max-width: none; padding: 0 }
  h2, h3, .title { break-after: avoid }
  figure, tr, li { break-inside: avoid }
}
"""
