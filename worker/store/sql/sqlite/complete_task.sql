UPDATE tasks
SET status = 'Complete',
    output_location = :output_location,
    result_data = :result_data,
    error_message = NULL,
    error = NULL,
    generation_processed_at = :now,
    claim_token = NULL,
    lease_expires_at = NULL,
    updated_at = :now
WHERE id = :id
