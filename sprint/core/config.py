"""Composes the settings that each area owns into one config, and reads it from TOML text."""
