socket.on('connect', () => {
  console.log('Connected to WebSocket server');
});

socket.on('connect_error', error => {
  console.error('Connection error:', error);
});
