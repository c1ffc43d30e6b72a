socket.emit('generate_music', {
  universeId: 'universe-123',
  duration: 8, // seconds
});
