"""The only place that prints or colours.

* `terminal` what a stream can show: width, colour, control characters
* `events`   progress: a live block of lines on a terminal, plain lines, JSON lines, or nothing
* `logs`     log lines with aligned, coloured prefixes
* `errors`   errors, diagnostics and warnings with the source line and a caret
* `table`    aligned columns

What comes from outside (names, messages, logs) is cleaned of control characters before it reaches a terminal.
"""
