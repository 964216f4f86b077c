"""The Hub: `publish` puts a directory there, `fetch_pairs` and `fetch_model` take pairs and reward models from it."""
