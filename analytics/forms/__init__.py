"""What people ask of analytics."""
