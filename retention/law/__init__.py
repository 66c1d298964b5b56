"""What may be kept how long: the categories, and the rules of the law about them. Pure: nothing here asks a row."""
