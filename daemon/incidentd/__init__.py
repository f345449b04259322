"""incidentd: the incident daemon for Prometheus shops. Newcomers start at engine/__init__.py."""

__version__ = "0.1.0"
