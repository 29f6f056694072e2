SELECT task.id, task.task_type, task.params, task.output_location
FROM json_each(:dependant_on) AS needed
JOIN tasks AS task ON task.id = needed.value
ORDER BY needed.key
