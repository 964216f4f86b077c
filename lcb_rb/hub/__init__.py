"""The Hub: `publish.publish` puts a directory there, `fetch` takes pairs and reward models from it."""
