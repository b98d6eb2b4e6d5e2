"""Parsers of the providers' public price lists. Pure: what was fetched in, overlay figures out."""
