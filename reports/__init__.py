"""What a person sees: from the records of a run, or of several, to Markdown, HTML and figures.

`python -m reports.build DIR` is the command line. Sections say something, drawings show it, and
nothing here measures.
"""

import recbench

recbench.refuse_short_name(__name__)
