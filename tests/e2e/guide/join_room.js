socket.emit('join_room', {
  universeId: 'universe-123',
  mode: 'edit', // or 'view'
});
