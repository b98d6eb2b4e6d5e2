"""The providers' bills, read into lines of one shape, and what they say was saved."""
