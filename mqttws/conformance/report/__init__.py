"""What was found out about a subject: kept as a file, and shown as text, as JUnit XML, or as a page of several."""

from mqttws.conformance.report.file import FORMAT, BadReport, Report
from mqttws.conformance.report.junit import junit_xml
from mqttws.conformance.report.page import html_page
from mqttws.conformance.report.text import result_lines, text_lines
from mqttws.conformance.report.transcript import harmless

__all__ = ["FORMAT", "BadReport", "Report", "harmless", "html_page", "junit_xml", "result_lines", "text_lines"]
