"""The console: what happens now, what happened and what it costs, in a browser and over HTTP."""
