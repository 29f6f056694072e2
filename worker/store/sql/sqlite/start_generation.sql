UPDATE tasks SET generation_started_at = :now, updated_at = :now WHERE id = :id
