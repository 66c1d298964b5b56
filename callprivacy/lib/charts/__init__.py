"""
Pictures of numbers as plain shapes, computed here and drawn by a template as SVG: no script, no style.

Each drawing is made twice, for a wide page and for a telephone, so that its letters keep their size. Series differ by
dash or pattern as well as by color, and every shape carries the sentence that a reader hears about it.
"""
