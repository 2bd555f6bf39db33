"""Figures, and one HTML file that a person opens to see what a study found.

from reports.html import write_report

write_report(Path("relevance-out"))                         # relevance-out/report.html

from reports.figure_files import write_figures

write_figures(Path("relevance-out"), Path("figures"), "pdf")   # each figure alone, for papers
"""
