"""Replay: any policy over recorded history, beside baselines and the exact offline optimum."""
