"""The supervisor: claims tasks, hands them to its task process, settles them; loads no torch."""
