"""Relevance as gains of joint over single fine-tuning: planned, run, measured, refined."""
