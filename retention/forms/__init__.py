"""What people type about retention."""
