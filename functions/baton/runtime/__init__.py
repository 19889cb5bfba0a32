"""What one delivered message goes through: from the signed request to what follows from it."""
