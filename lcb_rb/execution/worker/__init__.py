"""What runs beside untrusted code; the scripts import nothing of the package."""
