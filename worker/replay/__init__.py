"""A recorded task run again: offline, in a fresh process, beside the failure that it had."""
