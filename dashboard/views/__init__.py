"""The pages that compose what the other rooms know."""
