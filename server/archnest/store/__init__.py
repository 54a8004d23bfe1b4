"""Everything that touches SQLite; the SQL stands here in full and nowhere else."""
