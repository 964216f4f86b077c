"""The page that shows reports of reward models side by side."""
