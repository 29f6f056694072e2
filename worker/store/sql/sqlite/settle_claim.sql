UPDATE claims
SET settled = :settled, settled_at = :now, reason = :reason, status = :status
WHERE token = :token
