"""The schema's history and what applies it; the application and migrator images carry it whole."""
