SELECT * FROM tasks WHERE id >= :first AND id < :after ORDER BY id LIMIT 20
