-- A claim and its task as it is now; `owner` is 1 while the token owns it.
SELECT
    task.*,
    claim.token,
    claim.worker_id AS claimant,
    claim.attempt,
    claim.previous_context,
    claim.settled,
    claim.reason,
    claim.status AS settled_status,
    claim.settled IS NULL AND task.claim_token = claim.token AND task.status = 'In Progress'
        AS owner
FROM claims AS claim
JOIN tasks AS task ON task.id = claim.task_id
WHERE claim.token = :token
