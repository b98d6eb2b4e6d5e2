"""The three resources, their vocabulary and what is generated from them."""
