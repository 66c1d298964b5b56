"""What reports draw besides: maps of states and countries, and the sentence over a chart."""
