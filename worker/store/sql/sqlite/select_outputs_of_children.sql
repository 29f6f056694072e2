SELECT task_type, output_location
FROM tasks
WHERE parent_id = :id
ORDER BY json_extract(params, '$.segment_index'), seq
