"""What a finished run shows to people: one HTML file and the model card; and the page of one answer. It reads a run and writes into it, and
knows no concrete task: what appears depends on what the run's results hold. Nothing here opens a socket.
"""

from weitiao.report.card import write_card
from weitiao.report.explanation import write_explanation
from weitiao.report.page import write_report

__all__ = ["write_card", "write_explanation", "write_report"]
