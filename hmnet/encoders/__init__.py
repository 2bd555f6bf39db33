"""Pretrained encoders found, loaded without foreign code, and watched."""
