"""Figures, and one HTML file that a person opens to see what a study found.

from reports import collect, render_report, write_report

write_report(Path("relevance-out"))                    # relevance-out/report.html
text = render_report(collect(Path("relevance-out")))   # the same, as text

from reports import write_figures

write_figures(Path("relevance-out"), Path("figures"), "pdf")
"""
