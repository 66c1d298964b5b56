"""What is known of retention, as the scope sees it, by what it is about."""
