socket.emit('leave_room', {
  universeId: 'universe-123',
});
